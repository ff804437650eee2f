//! What comes of the files of an archive.

use std::collections::HashSet;

use martlet_model::ContainerId;

use super::FAILURES_COUNT_MAX;
use crate::swift::refusal::{Realm, Refusal, Words};
use crate::swift::report::{Report, status_line};
use crate::swift::slo::quoted;

/// What has come of the files so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    created: u64,
    errors: Vec<(String, String)>,
    /// Whether something failed that isn't the caller's fault.
    has_server_error: bool,
    /// Containers that are there.
    pub(super) containers: HashSet<ContainerId>,
    pub(super) made_count: usize,
}

impl Tally {
    pub(super) fn add(&mut self, name: &[u8], outcome: Result<(), u16>) -> Result<(), Refusal> {
        let Err(status) = outcome else {
            self.created += 1;
            return Ok(());
        };
        self.has_server_error |= status >= 500 && status != 501;
        self.errors.push((quoted(&String::from_utf8_lossy(name)), status_line(status)));
        if status == 401 {
            return Err(Refusal::Unauthorized { realm: Realm::Unknown });
        }
        if self.errors.len() >= FAILURES_COUNT_MAX {
            return Err(Refusal::Malformed("Max extract failures exceeded".into()));
        }
        Ok(())
    }

    pub(super) fn report(self) -> Report {
        let (status, text) = match (self.errors.is_empty(), self.has_server_error) {
            (false, true) => (502, ""),
            (false, false) => (400, ""),
            (true, _) if self.created == 0 => (400, "Invalid Tar File: No Valid Files"),
            (true, _) => (201, ""),
        };
        self.with(status, text)
    }

    /// The report of what was refused, or ended before its end.
    pub(super) fn ended(self, refusal: &Refusal) -> Report {
        match refusal.answer() {
            (status, Words::Plain(text) | Words::Html(text)) => self.with(status, &text),
            (status, Words::Page | Words::Nothing) => self.with(status, ""),
        }
    }

    fn with(self, status: u16, text: &str) -> Report {
        Report::of_errors(self.errors)
            .with("Response Status", status_line(status))
            .with("Response Body", text)
            .with("Number Files Created", self.created)
    }
}
