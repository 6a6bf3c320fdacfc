// The live page: what is seen is computed while it is looked at, and bases can be changed.
