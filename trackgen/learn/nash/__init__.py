"""Neural architecture search by hill climbing (Elsken 2017), as Fishman and Gurev used it to denoise ATAC-seq."""
