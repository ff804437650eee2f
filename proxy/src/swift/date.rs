//! Dates as Swift writes and reads them.

use std::time::{Duration, UNIX_EPOCH};

use martlet_model::Timestamp;

/// The end of the year 9999: no form of a date goes further.
const SECONDS_MAX: u64 = 253_402_300_799;

/// Seconds since the epoch as `Last-Modified` shows them: rounded up, so that an object is never newer than it says.
pub(super) fn shown_seconds(at: Timestamp) -> u64 {
    at.as_micros().div_ceil(1_000_000).min(SECONDS_MAX)
}

/// `Last-Modified`, in the form of RFC 9110.
pub(super) fn last_modified(at: Timestamp) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(shown_seconds(at)))
}

/// The seconds that a date in a request's head means; `None` where it isn't a date.
pub(super) fn parse(text: &str) -> Option<u64> {
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    date.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

/// `2011-06-30T08:20:47.736680`: six digits of microseconds and no zone, as clients parse it.
pub(super) fn in_listing(at: Timestamp) -> String {
    let seconds = at.as_seconds().min(SECONDS_MAX);
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let micros = at.as_micros() % 1_000_000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}")
}

/// Year, month and day of a day since the epoch, in the proleptic Gregorian calendar.
///
/// Counted in years that begin in March, so that a leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_BEFORE_EPOCH: u64 = 719_468;
    const DAYS_PER_ERA: u64 = 146_097;
    let days = days + DAYS_BEFORE_EPOCH;
    let (era, day_of_era) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_listing(micros: u64, expected: &str) {
        assert_eq!(in_listing(Timestamp::from_micros(micros)), expected);
    }

    #[test]
    fn listings_show_microseconds_without_a_zone() {
        check_listing(0, "1970-01-01T00:00:00.000000");
        check_listing(1_309_422_047_736_680, "2011-06-30T08:20:47.736680");
        check_listing(951_782_399_000_001, "2000-02-28T23:59:59.000001");
        check_listing(951_782_400_000_000, "2000-02-29T00:00:00.000000");
        check_listing(4_107_542_399_999_999, "2100-02-28T23:59:59.999999");
        check_listing(4_107_542_400_000_000, "2100-03-01T00:00:00.000000");
    }

    #[test]
    fn last_modified_is_rounded_up() {
        let shown = |micros| last_modified(Timestamp::from_micros(micros));
        assert_eq!(shown(784_111_777_000_000), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(shown(784_111_776_000_001), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn every_day_agrees_with_the_calendar_of_http() {
        for day in (0..2_932_896u64).step_by(37) {
            let at = Timestamp::from_micros(day * 86_400_000_000);
            let (listed, shown) = (in_listing(at), last_modified(at));
            assert_eq!(listed[..4], shown[12..16], "day {day}");
            assert_eq!(listed[8..10], shown[5..7], "day {day}");
        }
    }

    #[test]
    fn a_date_past_the_calendar_does_not_panic() {
        let end = Timestamp::from_micros(u64::MAX);
        assert_eq!(last_modified(end), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert!(in_listing(end).starts_with("9999-12-31T23:59:59."));
    }

    #[test]
    fn dates_in_all_three_forms_are_read() {
        for text in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(parse(text), Some(784_111_777), "{text}");
        }
        assert_eq!(parse("yesterday"), None);
    }
}
