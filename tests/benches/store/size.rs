//! Sizes as people write them: `4k`, `64m`.

use std::fmt;
use std::str::FromStr;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) usize);

/// Bodies from here on are large: few objects, few clients, and costs per MiB.
const LARGE: Size = Size(1 << 20);

impl Size {
    pub(crate) fn is_large(self) -> bool {
        LARGE.0 <= self.0
    }

    pub(crate) fn mib(self) -> f64 {
        self.0 as f64 / f64::from(1 << 20)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, unit) = match text.as_bytes().last() {
            Some(b'k' | b'K') => (&text[..text.len() - 1], 1 << 10),
            Some(b'm' | b'M') => (&text[..text.len() - 1], 1 << 20),
            _ => (text, 1),
        };
        let number: usize =
            digits.parse().map_err(|_| format!("\"{text}\" is no size: 4096, 4k and 64m are"))?;
        Ok(Self(number * unit))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes > 0 && bytes % (1 << 20) == 0 => write!(f, "{} MiB", bytes >> 20),
            bytes if bytes > 0 && bytes % (1 << 10) == 0 => write!(f, "{} KiB", bytes >> 10),
            bytes => write!(f, "{bytes} B"),
        }
    }
}
