"""What must be true of the film reviews; the figures are those of the published archive of 2,000 texts."""

import great_expectations.expectations as gxe

EXPECTATIONS = [
    gxe.ExpectTableRowCountToBeBetween(
        min_value=1_500, severity="critical", notes="2,000 reviews were published; far fewer means a broken download."
    ),
    *(
        gxe.ExpectColumnValuesToNotBeNull(
            column=name, severity="critical", notes="Each file is a text in the folder of its class."
        )
        for name in ("text", "target", "file")
    ),
    gxe.ExpectColumnValuesToBeUnique(
        column="file",
        severity="critical",
        notes="The identity: no name stands in both folders, and a review twice would stand on both sides.",
    ),
    gxe.ExpectColumnValuesToBeUnique(
        column="text", severity="critical", notes="No review was published twice; a copy would be learnt by heart."
    ),
    gxe.ExpectColumnValueLengthsToBeBetween(
        column="text",
        min_value=50,
        max_value=100_000,
        severity="critical",
        notes="91 to 14,957 characters in the published archive; less is no review, more is several in one file.",
    ),
    gxe.ExpectColumnDistinctValuesToEqualSet(
        column="target",
        value_set=["neg", "pos"],
        severity="critical",
        notes="The two folders; with one alone there is nothing to tell apart.",
    ),
    gxe.ExpectColumnProportionOfUniqueValuesToBeBetween(
        column="target",
        max_value=0.01,
        severity="warning",
        notes="Two classes of 1,000 each; many distinct ones mean that another level of folders was taken for it.",
    ),
]
