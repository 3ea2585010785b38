"""A SavedModel in MLServer, as its documentation writes custom runtimes."""

import numpy as np
import tensorflow as tf
from mlserver import MLModel
from mlserver.codecs import Base64Codec, NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse
from mlserver.utils import get_model_uri


class SavedModel(MLModel):
    """The signature `serving_default` of the SavedModel at `parameters.uri`."""

    async def load(self) -> bool:
        """Loads it."""
        self._loaded = tf.saved_model.load(await get_model_uri(self._settings))
        self._signature = self._loaded.signatures["serving_default"]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Calls it."""
        inputs = {}
        for one in payload.inputs:
            codec = Base64Codec if one.datatype == "BYTES" else NumpyCodec
            inputs[one.name] = tf.constant(codec.decode_input(one))
        outputs = []
        for name, values in self._signature(**inputs).items():
            array = values.numpy()
            if array.dtype == np.object_:
                outputs.append(StringCodec.encode_output(name, [item.decode() for item in array.ravel()]))
            else:
                outputs.append(NumpyCodec.encode_output(name, array))
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=outputs)
