"""MLServer's side of `serving.py`: the same version of a store, loaded and asked the way Salamander's own library does.

It runs in MLServer's environment, which has another FastAPI; this repository is on its path.
"""

from __future__ import annotations

import os
from pathlib import Path

from mlserver import MLModel  # pyright: ignore[reportMissingImports]
from mlserver.codecs import NumpyCodec, PandasCodec  # pyright: ignore[reportMissingImports]
from mlserver.types import InferenceRequest, InferenceResponse  # pyright: ignore[reportMissingImports]


class Runtime(MLModel):
    """A version in production, as an MLServer model."""

    async def load(self) -> bool:
        """Load the champion of the problem that this model is named after."""
        from production import predictor

        self._predictor = predictor(Path(os.environ["SALAMANDER_STORE"]), self.name)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Give the prediction for the rows of a request."""
        frame = self.decode_request(payload, default_codec=PandasCodec)
        output = NumpyCodec.encode_output("prediction", self._predictor.predict(frame).values)
        return InferenceResponse(model_name=self.name, outputs=[output])
