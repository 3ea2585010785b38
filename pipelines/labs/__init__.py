"""`ann lab`: runs an experiment of `ann_keras.labs` and writes its page."""
