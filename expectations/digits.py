"""What must be true of the handwritten digits: 64 grey pixels and a label."""

import great_expectations.expectations as gxe

PIXELS = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]

EXPECTATIONS = [
    gxe.ExpectTableRowCountToBeBetween(
        min_value=1000,
        severity="critical",
        notes="1,797 images were published; far fewer means a broken download, and too few test rows to judge on.",
    ),
    gxe.ExpectTableColumnCountToEqual(
        value=65, severity="critical", notes="8 x 8 pixels and the label; anything else is another data set."
    ),
    gxe.ExpectColumnValuesToNotBeNull(
        column="target", severity="critical", notes="An image without a label teaches nothing."
    ),
    gxe.ExpectColumnDistinctValuesToEqualSet(
        column="target",
        value_set=list(range(10)),
        severity="critical",
        notes="There are ten digits, and each must be seen.",
    ),
    gxe.ExpectColumnProportionOfUniqueValuesToBeBetween(
        column="target",
        max_value=0.05,
        severity="warning",
        notes="Ten classes; many distinct labels mean a shifted column.",
    ),
    *(
        gxe.ExpectColumnValuesToBeBetween(
            column=pixel,
            min_value=0,
            max_value=16,
            severity="critical",
            notes="Each pixel counts the dark dots in a 4 x 4 block of the scan: 0 to 16.",
        )
        for pixel in PIXELS
    ),
    *(
        gxe.ExpectColumnValuesToNotBeNull(
            column=pixel, severity="critical", notes="Every block of the scan was counted."
        )
        for pixel in PIXELS
    ),
]
