//! Promises about every cluster, on hundreds of generated ones: see each module.

mod clusters;
mod exact;
mod movement;
mod placement_quality;
