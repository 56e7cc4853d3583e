"""The bare side of `serving.py`: a FastAPI route that only calls `predict`, as a tutorial has it.

No checks, no batches, no versions, no log: rows in, predictions out. Started by uvicorn, with one worker.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd
from fastapi import FastAPI, Request
from production import predictor

model = predictor(Path(os.environ["SALAMANDER_STORE"]), os.environ["SALAMANDER_PROBLEM"])
app = FastAPI()


@app.post("/predict")
async def predict(request: Request) -> dict[str, Any]:
    """Give the predictions for rows."""
    rows = pd.DataFrame((await request.json())["instances"])
    return {"predictions": model.predict(rows).values.tolist()}
