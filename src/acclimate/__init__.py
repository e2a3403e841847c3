"""acclimate"""
