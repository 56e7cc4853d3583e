"""What must be true of the Titanic's passengers; the figures are those of the published file of 891 rows."""

import great_expectations.expectations as gxe

COMPLETE = ["PassengerId", "Survived", "Pclass", "Name", "Sex", "SibSp", "Parch"]

EXPECTATIONS = [
    gxe.ExpectTableRowCountToBeBetween(
        min_value=700, severity="critical", notes="891 passengers were published; far fewer means a broken download."
    ),
    *(
        gxe.ExpectColumnValuesToNotBeNull(
            column=name,
            severity="critical",
            notes="Complete in the published file; only age, cabin and port have gaps.",
        )
        for name in COMPLETE
    ),
    gxe.ExpectColumnValuesToNotBeNull(
        column="Fare",
        severity="warning",
        notes="Complete among the 891; of the 418 passengers to predict one has none, for whom the median stands in.",
    ),
    gxe.ExpectColumnValuesToBeUnique(
        column="PassengerId", severity="critical", notes="The identity: a passenger twice would stand on both sides."
    ),
    gxe.ExpectColumnValuesToBeInSet(
        column="Survived", value_set=[0, 1], severity="critical", notes="0 died, 1 survived; there is nothing between."
    ),
    gxe.ExpectColumnMeanToBeBetween(
        column="Survived",
        min_value=0.3,
        max_value=0.5,
        severity="warning",
        notes="0.384 in the published file; a model learns that share.",
    ),
    gxe.ExpectColumnValuesToBeInSet(
        column="Pclass", value_set=[1, 2, 3], severity="critical", notes="The ship had three classes."
    ),
    gxe.ExpectColumnValuesToMatchRegex(
        column="Name",
        regex=r", [^.]*\.",
        mostly=0.99,
        severity="critical",
        notes="Surname, title and a full stop: the title is derived from it. Every published name is written so.",
    ),
    gxe.ExpectColumnValuesToBeInSet(
        column="Sex", value_set=["female", "male"], severity="critical", notes="As the passenger list has it."
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="Age", min_value=0, max_value=100, severity="critical", notes="Years; 0.42 to 80 in the published file."
    ),
    gxe.ExpectColumnValuesToNotBeNull(
        column="Age",
        mostly=0.7,
        severity="warning",
        notes="19.9 % are unknown; a pipeline fills in the median, and beyond that age says little.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="SibSp", min_value=0, max_value=10, severity="critical", notes="0 to 8 in the published file."
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="Parch", min_value=0, max_value=10, severity="critical", notes="0 to 6 in the published file."
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="Fare",
        min_value=0,
        max_value=1000,
        severity="critical",
        notes="Pounds for the whole ticket: 0 (crew and guests, 15 rows) to 512.33 in the published file.",
    ),
]
