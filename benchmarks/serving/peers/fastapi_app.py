"""Two SavedModels behind FastAPI: endpoints are plain functions, which FastAPI runs in its threads.

LENET5=SAVED_MODEL HALF_PLUS_TWO=SAVED_MODEL uvicorn fastapi_app:app
"""

import base64
import os

import tensorflow as tf
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
lenet5 = tf.saved_model.load(os.environ["LENET5"])
half_plus_two = tf.saved_model.load(os.environ["HALF_PLUS_TWO"])
classify = lenet5.signatures["serving_default"]
compute = half_plus_two.signatures["serving_default"]


class Images(BaseModel):
    """PNG files in base64."""

    instances: list[str]


class Numbers(BaseModel):
    """Values of x."""

    instances: list[float]


@app.post("/lenet5")
def predict_images(request: Images) -> dict:
    """Every output of lenet5, a list a name."""
    answers = classify(image=tf.constant([base64.b64decode(image) for image in request.instances]))
    return {name: [_text(item) for item in values.numpy().tolist()] for name, values in answers.items()}


@app.post("/half_plus_two")
def predict_numbers(request: Numbers) -> dict:
    """Gives y = x / 2 + 2."""
    return {"y": compute(x=tf.constant(request.instances))["y"].numpy().tolist()}


def _text(item: object) -> object:
    if isinstance(item, list):
        return [_text(inner) for inner in item]
    return item.decode() if isinstance(item, bytes) else item
