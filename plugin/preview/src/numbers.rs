//! Numbers for people: the same in the terminal, the report and the page.

/// A whole number with thin groups: `20 095`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len().saturating_sub(index)).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// Bytes in the largest unit that leaves a number above one: `4.2 MB`.
pub fn bytes(number: u64) -> String {
    let mut value = number as f64;
    let mut units = ["B", "kB", "MB", "GB", "TB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    while value >= 1000.0
        && let Some(larger) = units.next()
    {
        value /= 1000.0;
        unit = larger;
    }
    if unit == "B" { format!("{number} {unit}") } else { format!("{value:.1} {unit}") }
}

/// Part of a whole as a percentage without decimals that mislead: `0.4%`, `37%`, `100%` only for all of it.
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 || part == 0 {
        return "0%".into();
    }
    if part == whole {
        return "100%".into();
    }
    let percent = part as f64 / whole as f64 * 100.0;
    if percent < 10.0 { format!("{:.1}%", percent.max(0.1)) } else { format!("{:.0}%", percent.min(99.0)) }
}

/// Dollars with cents: `1234.50`.
pub fn dollars(amount: f64) -> String {
    format!("{amount:.2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_easily() {
        assert_eq!(
            [0, 999, 1000, 20_095, 1_234_567].map(grouped),
            ["0", "999", "1 000", "20 095", "1 234 567"]
        );
        assert_eq!([12, 1500, 4_200_000].map(bytes), ["12 B", "1.5 kB", "4.2 MB"]);
    }
    #[test]
    fn a_percentage_is_never_all_or_nothing_by_rounding() {
        let shown = [(0, 0), (0, 5), (1, 100_000), (37, 100), (99_999, 100_000), (5, 5)];
        assert_eq!(
            shown.map(|(part, whole)| percent(part, whole)),
            ["0%", "0%", "0.1%", "37%", "99%", "100%"]
        );
    }
}
