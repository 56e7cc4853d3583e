"""How models are compared on test rows, and the rules of the gate."""
