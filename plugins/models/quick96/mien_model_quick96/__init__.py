"""Quick96, DeepFaceLab's small model without settings: 96 pixels."""
