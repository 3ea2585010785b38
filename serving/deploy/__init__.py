"""Files that run the real TF Serving with the pushed models: a Dockerfile, Compose, Kubernetes and KServe.

deploy(root="ann-runs", out="deployment")    # what `ann deploy` does
"""

from serving.deploy.generator import Deployment, deploy
from serving.deploy.pushed import PushedModelError

__all__ = ["Deployment", "PushedModelError", "deploy"]
