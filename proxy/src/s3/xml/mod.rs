//! XML, in and out.

mod read;
mod write;

pub(super) use read::Element;
pub(super) use write::Writer;
