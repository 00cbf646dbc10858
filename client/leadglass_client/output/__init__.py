"""Rows to text: tables for people, JSON, YAML, CSV and names for programs."""
