"""What must be true of the Californian housing districts of 1990; the figures are those of the published file."""

import great_expectations.expectations as gxe

NUMBERS = [
    "longitude",
    "latitude",
    "housing_median_age",
    "total_rooms",
    "population",
    "households",
    "median_income",
    "median_house_value",
]

EXPECTATIONS = [
    gxe.ExpectTableRowCountToBeBetween(
        min_value=15_000,
        severity="critical",
        notes="20,640 districts were published; far fewer means a broken download.",
    ),
    *(
        gxe.ExpectColumnValuesToNotBeNull(
            column=name, severity="critical", notes="Complete in the published file; only total_bedrooms has gaps."
        )
        for name in [*NUMBERS, "ocean_proximity"]
    ),
    gxe.ExpectColumnValuesToNotBeNull(
        column="total_bedrooms",
        mostly=0.97,
        severity="warning",
        notes="1.0 % of the districts have no count; a pipeline fills in the median, which is harmless only for a few.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="longitude", min_value=-124.5, max_value=-114.0, severity="critical", notes="California lies there."
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="latitude", min_value=32.4, max_value=42.1, severity="critical", notes="California lies there."
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="housing_median_age",
        min_value=0,
        max_value=52,
        severity="critical",
        notes="The census capped it at 52 years.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="total_rooms",
        min_value=1,
        max_value=100_000,
        severity="critical",
        notes="2 to 39,320 in the published file.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="total_bedrooms",
        min_value=1,
        max_value=20_000,
        severity="critical",
        notes="1 to 6,445 in the published file.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="population",
        min_value=1,
        max_value=100_000,
        severity="critical",
        notes="3 to 35,682 in the published file.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="households",
        min_value=1,
        max_value=20_000,
        severity="critical",
        notes="1 to 6,082 in the published file.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="median_income",
        min_value=0,
        max_value=20,
        severity="critical",
        notes="Tens of thousands of dollars, capped at 15.0001; larger numbers are plain dollars by mistake.",
    ),
    gxe.ExpectColumnValuesToBeBetween(
        column="median_house_value",
        min_value=10_000,
        max_value=500_001,
        severity="critical",
        notes="Dollars, capped at 500,001 by the census.",
    ),
    gxe.ExpectColumnValuesToBeInSet(
        column="ocean_proximity",
        value_set=["<1H OCEAN", "INLAND", "ISLAND", "NEAR BAY", "NEAR OCEAN"],
        severity="critical",
        notes="The five places that were published; a model has learnt nothing about another.",
    ),
    gxe.ExpectColumnMeanToBeBetween(
        column="median_income",
        min_value=3.0,
        max_value=5.0,
        severity="warning",
        notes="3.87 in the published file; the strongest predictor, so a shift of its mean moves every estimate.",
    ),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(
        column_A="total_rooms",
        column_B="total_bedrooms",
        or_equal=True,
        ignore_row_if="either_value_is_missing",
        severity="warning",
        notes="A bedroom is a room.",
    ),
]
