"""augment/expand"""
