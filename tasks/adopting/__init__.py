"""Models from outside: their files, their inputs and what makes them ordinary models here."""
