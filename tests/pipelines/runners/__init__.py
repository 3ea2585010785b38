"""Tests of what runs pipelines."""
