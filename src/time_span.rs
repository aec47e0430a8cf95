//! Lengths of time as users write them.

use std::time::Duration;

/// A length of time as messages say it: in the largest unit of which it is a whole number.
pub(crate) fn shown(time: Duration) -> String {
    let milliseconds = time.as_millis();
    let units = [(3_600_000, "h"), (60_000, "min"), (1000, "s")];
    let whole =
        |(length, _): &(u128, &str)| milliseconds > 0 && milliseconds.is_multiple_of(*length);
    match units.into_iter().find(whole) {
        Some((length, unit)) => format!("{} {unit}", milliseconds / length),
        None => format!("{milliseconds} ms"),
    }
}

/// A time such as `500ms`, `30s`, `10min` or `1h`; `0` is none.
///
/// # Errors
/// What to write instead.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    const FORM: &str = "write a time as 500ms, 30s, 10min or 1h, or 0";
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let milliseconds: u64 = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "" if digits == "0" => 1,
        _ => return Err(FORM.to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| FORM.to_owned())?;
    number
        .checked_mul(milliseconds)
        // PostgreSQL keeps milliseconds in 31 bits.
        .filter(|milliseconds| *milliseconds <= i32::MAX as u64)
        .map(Duration::from_millis)
        .ok_or_else(|| "the time is longer than a server can wait (24 days)".to_owned())
}
