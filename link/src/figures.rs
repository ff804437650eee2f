//! A link in figures, for those who run a process.

use martlet_meter::Counter;

/// What has become of the connections of a link to a node. Read while it is written.
#[derive(Debug, Default)]
pub struct LinkFigures {
    /// Connections that were opened, the node's proof included.
    pub opened: Counter,
    /// Connections that ended, whatever the reason.
    pub ended: Counter,
    /// Attempts that came to nothing.
    pub failed: Counter,
}
