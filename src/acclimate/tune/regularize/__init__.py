"""tune/regularize"""
