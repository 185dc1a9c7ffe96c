"""AMP, DeepFaceLab's model that can be moved from one person to the other, step by step."""
