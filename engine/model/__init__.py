"""The one definition of inputs, prompt, encoders and recogniser that all paths share."""
