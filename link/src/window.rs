//! How many blocks of a stream may be under way, so that memory stays bounded however many streams there are.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::limits::{STREAM_WINDOW_BLOCKS, STREAM_WINDOW_BLOCKS_MIN, WINDOW_BLOCKS_SHARED};
use crate::message::Message;

/// What the streams of this process that take blocks in may have beyond the least.
static SHARED: Semaphore = Semaphore::const_new(WINDOW_BLOCKS_SHARED);

/// The window of a stream, held by the side that takes the blocks in.
///
/// Every stream begins with [`STREAM_WINDOW_BLOCKS_MIN`], which both sides know.
/// What it has beyond is the process's, and goes back to it when the window is dropped.
#[derive(Debug, Default)]
pub(crate) struct Window {
    beyond: Option<SemaphorePermit<'static>>,
}

impl Window {
    /// Widens the window as far as it goes at the moment; gives the credit for that, and for `taken` blocks.
    pub(crate) fn credit(&mut self, taken: u32) -> Option<Message> {
        let blocks = taken + self.widen();
        (blocks > 0).then(|| Message { head: blocks.to_le_bytes().to_vec().into(), ..Message::default() })
    }

    /// By how many blocks it has become wider.
    fn widen(&mut self) -> u32 {
        let has = self.beyond.as_ref().map_or(0, SemaphorePermit::num_permits);
        let missing = STREAM_WINDOW_BLOCKS - STREAM_WINDOW_BLOCKS_MIN - has;
        let blocks = u32::try_from(missing.min(SHARED.available_permits())).unwrap_or_default();
        // Somebody else may have been quicker; the next block is another chance.
        let Some(more) = (blocks > 0).then(|| SHARED.try_acquire_many(blocks).ok()).flatten() else {
            return 0;
        };
        match &mut self.beyond {
            Some(beyond) => beyond.merge(more),
            none => *none = Some(more),
        }
        blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(credit: Option<Message>) -> usize {
        credit.map_or(0, |message| u32::from_le_bytes(message.head[..].try_into().unwrap()) as usize)
    }

    #[test]
    fn windows_are_wide_while_streams_are_few_and_never_more_than_bounded() {
        let streams = 10 * WINDOW_BLOCKS_SHARED;
        let mut windows: Vec<_> = (0..streams).map(|_| Window::default()).collect();
        let widths: Vec<_> = windows.iter_mut().map(|window| blocks(window.credit(0))).collect();
        assert_eq!(widths[0], STREAM_WINDOW_BLOCKS - STREAM_WINDOW_BLOCKS_MIN);
        assert_eq!(widths.iter().sum::<usize>(), WINDOW_BLOCKS_SHARED);
        assert_eq!(blocks(windows[streams - 1].credit(1)), 1, "what was taken may be followed by as much");
        windows.truncate(streams - 1);
        let last = &mut windows[streams - 2];
        assert_eq!(blocks(last.credit(0)), 0);
        windows.drain(..2);
        let last = windows.last_mut().unwrap();
        assert_eq!(blocks(last.credit(1)), STREAM_WINDOW_BLOCKS - STREAM_WINDOW_BLOCKS_MIN + 1);
    }
}
