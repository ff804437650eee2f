//! What the link costs.

fn main() {}
