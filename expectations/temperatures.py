"""What must be true of Melbourne's daily minimum temperatures; the figures are those of the published file."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectTableRowCountToBeBetween(
        min_value=3_000,
        severity="critical",
        notes="3,650 days were published; two years are the test, and a year is needed to look back.",
    ),
    gxe.ExpectColumnValuesToNotBeNull(
        column="Date", severity="critical", notes="A row without its day has no place in the series."
    ),
    gxe.ExpectColumnValuesToBeUnique(
        column="Date",
        severity="critical",
        notes="A day has one lowest temperature; of two, nobody knows which was before.",
    ),
    gxe.ExpectColumnValuesToNotBeNull(
        column="Temp",
        mostly=0.99,
        severity="critical",
        notes="Complete in the published file; a day without a temperature is a gap in the history of the next ones.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="Temp",
        min_value=-10,
        max_value=35,
        severity="critical",
        notes="0.0 to 26.3 degrees Celsius in ten years; far beyond is another unit or a broken thermometer.",
    ),
    gxe.ExpectColumnMeanToBeBetween(
        column="Temp",
        min_value=9,
        max_value=14,
        severity="warning",
        notes="11.2 degrees over the ten years, 10.6 to 12.0 in each; a shift moves every forecast.",
    ),
]
