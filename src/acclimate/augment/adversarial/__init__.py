"""augment/adversarial"""
