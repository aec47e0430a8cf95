//! Expected keep lists, by hand from a calendar; and rules that hold for all of them.

use proptest::prelude::*;

use super::*;

fn time(text: &str) -> UtcTime {
    let whole = match text.len() {
        10 => format!("{text}T02:00:00Z"),
        _ => format!("{text}:00Z"),
    };
    UtcTime::parse(&whole).unwrap_or_else(|| panic!("{text} is no time"))
}

/// Exports whose names are their times.
fn exports(times: &[&str]) -> Vec<(String, UtcTime)> {
    let named = times.iter().map(|text| ((*text).to_owned(), time(text)));
    named.collect()
}

/// Every night of a year, at 02:00.
fn nights_of(year: i64) -> Vec<(String, UtcTime)> {
    let day = |year| CivilDate::new(year, 1, 1).unwrap().to_days();
    let dates = (day(year)..day(year + 1)).map(|day| CivilDate::from_days(day).to_string());
    dates.map(|date| (date.clone(), time(&date))).collect()
}

fn keep(rules: &str) -> Keep {
    toml::from_str(&rules.replace(", ", "\n")).unwrap()
}

fn kept(rules: &str, exports: &[(String, UtcTime)], now: &str) -> Vec<String> {
    let decisions = decide(&keep(rules), exports, time(now)).unwrap();
    let kept = decisions.iter().filter(|decision| decision.is_kept());
    kept.map(|decision| decision.name.clone()).collect()
}

#[test]
fn a_year_of_nights() {
    // 2026: January 1 is a Thursday, December 27 the last Sunday, December 31 a Thursday.
    let nights = nights_of(2026);
    let cases: [(&str, &[&str]); 9] = [
        ("keep-last = 3", &["2026-12-31", "2026-12-30", "2026-12-29"]),
        ("keep-daily = 2", &["2026-12-31", "2026-12-30"]),
        // The week from Monday, December 28, is not over: its newest night stands for it.
        (
            "keep-weekly = 4",
            &["2026-12-31", "2026-12-27", "2026-12-20", "2026-12-13"],
        ),
        (
            "keep-monthly = 12",
            &[
                "2026-12-31",
                "2026-11-30",
                "2026-10-31",
                "2026-09-30",
                "2026-08-31",
                "2026-07-31",
                "2026-06-30",
                "2026-05-31",
                "2026-04-30",
                "2026-03-31",
                "2026-02-28",
                "2026-01-31",
            ],
        ),
        // There are not two years yet, so the oldest stays until there are.
        ("keep-yearly = 2", &["2026-12-31", "2026-01-01"]),
        ("keep-yearly = 1", &["2026-12-31"]),
        (
            "keep-daily = 7, keep-weekly = 4, keep-monthly = 3",
            &[
                "2026-12-31",
                "2026-12-30",
                "2026-12-29",
                "2026-12-28",
                "2026-12-27",
                "2026-12-26",
                "2026-12-25",
                "2026-12-20",
                "2026-12-13",
                "2026-11-30",
                "2026-10-31",
            ],
        ),
        // Exactly 48 hours before the newest is not within 2 days of it.
        ("keep-within = \"2d\"", &["2026-12-31", "2026-12-30"]),
        // One month before December 31 is November 31, which is December 1; that one is not within it.
        (
            "keep-within-weekly = \"1m\"",
            &[
                "2026-12-31",
                "2026-12-27",
                "2026-12-20",
                "2026-12-13",
                "2026-12-06",
            ],
        ),
    ];
    for (rules, expected) in cases {
        assert_eq!(kept(rules, &nights, "2027-01-01"), expected, "{rules}");
    }
}

#[test]
fn the_newest_of_an_hour_or_day_stands_for_it() {
    let exports = exports(&[
        "2026-11-26T23:59",
        "2026-11-27T00:00",
        "2026-11-27T22:10",
        "2026-11-27T22:50",
        "2026-11-27T23:10",
    ]);
    let now = "2026-11-28";
    let hourly = ["2026-11-27T23:10", "2026-11-27T22:50"];
    assert_eq!(kept("keep-hourly = 2", &exports, now), hourly);
    let daily = ["2026-11-27T23:10", "2026-11-26T23:59"];
    assert_eq!(kept("keep-daily = 2", &exports, now), daily);
    let within = ["2026-11-27T23:10", "2026-11-27T22:50"];
    assert_eq!(kept("keep-within-hourly = \"2h\"", &exports, now), within);
}

#[test]
fn weeks_are_those_of_the_calendar_also_over_a_new_year() {
    // January 1, 2027 is a Friday of the week from December 28.
    let exports = exports(&[
        "2026-12-27",
        "2026-12-28",
        "2027-01-01",
        "2027-01-03",
        "2027-01-04",
    ]);
    let expected = ["2027-01-04", "2027-01-03", "2026-12-27"];
    assert_eq!(kept("keep-weekly = 3", &exports, "2027-01-05"), expected);
}

#[test]
fn the_oldest_stays_while_a_rule_has_room() {
    let two = exports(&["2026-11-27T01:00", "2026-11-27T03:00"]);
    let decisions = decide(&keep("keep-daily = 2"), &two, time("2026-11-28")).unwrap();
    let told = |decision: &Decision| decision.reasons.iter().map(Reason::to_string).collect();
    let reasons: Vec<Vec<String>> = decisions.iter().map(told).collect();
    assert_eq!(reasons, [["keep-daily"], ["keep-daily (oldest)"]]);
    let expected = ["2026-11-27T03:00"];
    assert_eq!(kept("keep-daily = 1", &two, "2026-11-28"), expected);
}

#[test]
fn unlimited_keeps_one_of_each_period_and_the_oldest() {
    let exports = exports(&["2026-11-27T01:00", "2026-11-27T03:00", "2026-11-28T03:00"]);
    let expected = ["2026-11-28T03:00", "2026-11-27T03:00", "2026-11-27T01:00"];
    let rules = "keep-daily = \"unlimited\"";
    assert_eq!(kept(rules, &exports, "2026-11-29"), expected);
}

#[test]
fn exports_in_the_future_stay_and_take_no_place() {
    let exports = exports(&["2026-11-27", "2026-11-28", "2031-01-01"]);
    let decisions = decide(&keep("keep-last = 1"), &exports, time("2026-11-28")).unwrap();
    let told: Vec<(String, Vec<Reason>)> = decisions
        .into_iter()
        .map(|decision| (decision.name, decision.reasons))
        .collect();
    let expected = [
        ("2031-01-01", vec![Reason::Future]),
        ("2026-11-28", vec![Reason::Rule("keep-last".to_owned())]),
        ("2026-11-27", vec![]),
    ];
    assert_eq!(
        told,
        expected.map(|(name, reasons)| (name.to_owned(), reasons))
    );
}

#[test]
fn spans_end_on_days_of_the_calendar() {
    let before = |span: &str, from: &str| span.parse::<Within>().unwrap().before(time(from));
    let cases = [
        ("1d", "2024-03-01", "2024-02-29"),
        ("1m", "2026-12-15", "2026-11-15"),
        // As Go's AddDate: February 31 is March 3.
        ("1m", "2026-03-31", "2026-03-03"),
        ("1y", "2024-02-29", "2023-03-01"),
        ("1y2m3d", "2026-01-15", "2024-11-12"),
        ("13m", "2026-01-15", "2024-12-15"),
    ];
    for (span, from, expected) in cases {
        assert_eq!(before(span, from), time(expected), "{span} before {from}");
    }
    assert_eq!(before("1d3h", "2026-11-28"), time("2026-11-26T23:00"));
    let longest = "999999y999999m999999d999999h".parse::<Within>().unwrap();
    assert!(longest.before(time("2026-11-28")) < time("0001-01-01"));
}

#[test]
fn spans_are_written_as_they_are_read() {
    for text in ["1y5m7d2h", "7d", "0h", "2h"] {
        assert_eq!(text.parse::<Within>().unwrap().to_string(), text);
    }
    assert_eq!("2h1y".parse::<Within>().unwrap().to_string(), "1y2h");
    for (text, expected) in [
        ("", "it is empty"),
        ("7", "behind a number stands y, m, d or h"),
        ("d", "a number is missing"),
        ("-7d", "a number is missing"),
        ("1w", "write 7d for 1w"),
        ("1d2d", "a unit stands there twice"),
        ("1000000d", "a number is too large"),
        ("99999999999999999999d", "a number is too large"),
        ("7 d", "behind a number stands"),
        ("7D", "behind a number stands"),
        ("7é", "behind a number stands"),
    ] {
        let error = text.parse::<Within>().unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn counts_are_numbers_or_unlimited() {
    let count = |text: &str| toml::from_str::<Keep>(&format!("keep-last = {text}"));
    assert_eq!(count("3").unwrap().keep_last, Some(Count::Number(3)));
    let unlimited = count("\"unlimited\"").unwrap().keep_last;
    assert_eq!(unlimited, Some(Count::Unlimited));
    for text in ["-1", "\"-1\"", "\"all\"", "1.5", "99999999999"] {
        assert!(count(text).is_err(), "{text}");
    }
    assert!(
        count("-1")
            .unwrap_err()
            .to_string()
            .contains("`unlimited` keeps all")
    );
}

#[test]
fn an_empty_policy_is_refused() {
    let nights = nights_of(2026);
    for rules in ["", "keep-last = 0", "keep-daily = 0, keep-within = \"0d\""] {
        assert!(keep(rules).is_empty());
        assert!(decide(&keep(rules), &nights, time("2027-01-01")).is_err());
    }
}

fn any_keep() -> impl Strategy<Value = Keep> {
    let count = || {
        prop_oneof![
            3 => Just(None),
            3 => (0_u32..6).prop_map(|number| Some(Count::Number(number))),
            1 => Just(Some(Count::Unlimited)),
        ]
    };
    let span = || {
        let text = prop_oneof![Just("5h"), Just("3d"), Just("1m"), Just("1y2d")];
        proptest::option::of(text.prop_map(|text| text.parse::<Within>().unwrap()))
    };
    let counts = (count(), count(), count(), count(), count(), count());
    let spans = (span(), span(), span(), span(), span(), span());
    (counts, spans).prop_map(|(counts, spans)| Keep {
        keep_last: counts.0,
        keep_hourly: counts.1,
        keep_daily: counts.2,
        keep_weekly: counts.3,
        keep_monthly: counts.4,
        keep_yearly: counts.5,
        keep_within: spans.0,
        keep_within_hourly: spans.1,
        keep_within_daily: spans.2,
        keep_within_weekly: spans.3,
        keep_within_monthly: spans.4,
        keep_within_yearly: spans.5,
    })
}

/// Exports of some hours of about three years.
fn any_exports() -> impl Strategy<Value = Vec<(String, UtcTime)>> {
    let hours = proptest::collection::btree_set(0_i64..26_000, 1..60);
    hours.prop_map(|hours| {
        let since = time("2024-01-01");
        let times = hours.into_iter().map(|hour| since.minus_hours(-hour));
        times.map(|time| (time.to_string(), time)).collect()
    })
}

/// The rules of both.
fn united(one: &Keep, other: &Keep) -> Keep {
    let keeps = |count: &Option<Count>| matches!(count, Some(count) if *count != Count::Number(0));
    let count = |one: Option<Count>, other| if keeps(&one) { one } else { other };
    Keep {
        keep_last: count(one.keep_last, other.keep_last),
        keep_hourly: count(one.keep_hourly, other.keep_hourly),
        keep_daily: count(one.keep_daily, other.keep_daily),
        keep_weekly: count(one.keep_weekly, other.keep_weekly),
        keep_monthly: count(one.keep_monthly, other.keep_monthly),
        keep_yearly: count(one.keep_yearly, other.keep_yearly),
        keep_within: one.keep_within.or(other.keep_within),
        keep_within_hourly: one.keep_within_hourly.or(other.keep_within_hourly),
        keep_within_daily: one.keep_within_daily.or(other.keep_within_daily),
        keep_within_weekly: one.keep_within_weekly.or(other.keep_within_weekly),
        keep_within_monthly: one.keep_within_monthly.or(other.keep_within_monthly),
        keep_within_yearly: one.keep_within_yearly.or(other.keep_within_yearly),
    }
}

proptest! {
    #[test]
    fn the_newest_that_is_not_in_the_future_always_stays(
        rules in any_keep(), exports in any_exports(), ahead in 0_i64..26_000
    ) {
        let now = time("2024-01-01").minus_hours(-ahead);
        if let Ok(decisions) = decide(&rules, &exports, now) {
            prop_assert_eq!(decisions.len(), exports.len());
            let newest = exports.iter().filter(|(_, time)| *time <= now).max_by_key(|(_, time)| *time);
            for decision in decisions.iter().filter(|one| one.is_kept()) {
                let is_future = decision.reasons == [Reason::Future];
                prop_assert_eq!(is_future, decision.name > now.to_string());
            }
            if let Some((name, _)) = newest {
                let kept = decisions.iter().find(|decision| decision.name == *name);
                prop_assert!(kept.unwrap().is_kept());
            }
        }
    }

    #[test]
    fn more_rules_never_keep_less(
        rules in any_keep(), more in any_keep(), exports in any_exports()
    ) {
        let now = time("2028-01-01");
        let names = |decisions: Vec<Decision>| -> std::collections::BTreeSet<String> {
            let kept = decisions.into_iter().filter(Decision::is_kept);
            kept.map(|decision| decision.name).collect()
        };
        if let Ok(decisions) = decide(&rules, &exports, now) {
            let of_both = decide(&united(&rules, &more), &exports, now).unwrap();
            prop_assert!(names(of_both).is_superset(&names(decisions)));
        }
    }

    #[test]
    fn a_second_look_removes_nothing_more(rules in any_keep(), exports in any_exports()) {
        let now = time("2028-01-01");
        if let Ok(decisions) = decide(&rules, &exports, now) {
            let kept = |name: &String| decisions.iter().any(|one| one.name == *name && one.is_kept());
            let left: Vec<(String, UtcTime)> =
                exports.iter().filter(|(name, _)| kept(name)).cloned().collect();
            let again = decide(&rules, &left, now).unwrap();
            prop_assert!(again.iter().all(Decision::is_kept));
        }
    }
}
