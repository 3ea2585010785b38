"""What a user would write instead of a model server: FastAPI with `tf.saved_model.load`, and a runtime for MLServer.

The modules run in virtual environments of their own and import nothing of this project.
"""
