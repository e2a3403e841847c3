"""select/similarity"""
