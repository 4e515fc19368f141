"""Publish weights and the app on the Hugging Face Hub: plan what is uploaded, upload it privately, compare, release."""
