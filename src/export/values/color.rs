//! The text colour that reads on a label's colour, as GitLab chooses it.

/// Text for light backgrounds, rgb(31, 30, 36).
const DARK_TEXT: &str = "#1F1E24";
/// Text for dark backgrounds.
const LIGHT_TEXT: &str = "#FFFFFF";
/// A background on which white has at least this contrast counts as dark.
const ENOUGH_CONTRAST: f64 = 2.4;

/// `#1F1E24` on a light background, else `#FFFFFF`.
///
/// `color` is decoded text: `#rgb` or `#rrggbb` in either case. Anything else counts as dark. The
/// measure is the contrast ratio of WCAG 2.1.
pub fn text_color(color: &[u8]) -> &'static str {
    let Some(background) = parse(color) else {
        return LIGHT_TEXT;
    };
    let background = luminance(background);
    let with_light = (luminance([255; 3]) + 0.05) / (background + 0.05);
    let with_dark = (background + 0.05) / (luminance([31, 30, 36]) + 0.05);
    if with_light >= ENOUGH_CONTRAST || with_light > with_dark {
        LIGHT_TEXT
    } else {
        DARK_TEXT
    }
}

fn parse(color: &[u8]) -> Option<[u8; 3]> {
    let digits = color.strip_prefix(b"#")?;
    let digit = |at: usize| char::from(digits[at]).to_digit(16).map(|digit| digit as u8);
    let channel = |channel: usize| match digits.len() {
        3 => Some(digit(channel)? * 0x11),
        6 => Some(digit(2 * channel)? << 4 | digit(2 * channel + 1)?),
        _ => None,
    };
    Some([channel(0)?, channel(1)?, channel(2)?])
}

/// Relative luminance, 0 (black) to 1 (white), with the threshold 0.03928 of the standard's text.
fn luminance(rgb: [u8; 3]) -> f64 {
    let [red, green, blue] = rgb.map(|channel| {
        let channel = f64::from(channel) / 255.0;
        if channel <= 0.03928 {
            channel / 12.92
        } else {
            ((channel + 0.055) / 1.055).powf(2.4)
        }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_reads_on_its_background() {
        // The contrast with white, worked out apart from this code, is in the name where it is near
        // 2.4.
        let cases: &[(&str, &[u8], &str)] = &[
            ("white", b"#ffffff", DARK_TEXT),
            ("white, short", b"#FFF", DARK_TEXT),
            ("black", b"#000000", LIGHT_TEXT),
            ("black, short", b"#000", LIGHT_TEXT),
            ("the default of labels", b"#6699cc", LIGHT_TEXT),
            ("the default of epics", b"#1068bf", LIGHT_TEXT),
            ("an old default of labels", b"#428BCA", LIGHT_TEXT),
            ("red of Bootstrap", b"#d9534f", LIGHT_TEXT),
            ("green of Bootstrap, 2.48", b"#5cb85c", LIGHT_TEXT),
            ("orange of Bootstrap", b"#F0AD4E", DARK_TEXT),
            ("yellow", b"#eee600", DARK_TEXT),
            ("grey, 2.406", b"#a7a7a7", LIGHT_TEXT),
            ("grey, 2.378", b"#a8a8a8", DARK_TEXT),
            ("short forms are doubled, 2.32", b"#aaa", DARK_TEXT),
            ("pure green, short", b"#0f0", DARK_TEXT),
            ("not a colour", b"red", LIGHT_TEXT),
            ("empty", b"", LIGHT_TEXT),
            ("no digits", b"#", LIGHT_TEXT),
            ("four digits", b"#ffff", LIGHT_TEXT),
            ("eight digits", b"#ffffffff", LIGHT_TEXT),
            ("no hex digit", b"#fffffg", LIGHT_TEXT),
            ("no number sign", b"ffffff", LIGHT_TEXT),
            ("space behind", b"#ffffff ", LIGHT_TEXT),
        ];
        for (name, color, expected) in cases {
            assert_eq!(text_color(color), *expected, "{name}");
        }
    }

    #[test]
    fn the_two_colours_have_known_luminance() {
        assert!((luminance([255; 3]) - 1.0).abs() < 1e-9);
        // rgb(31, 30, 36) has contrast 16.54 with white.
        assert!((1.05 / (luminance([31, 30, 36]) + 0.05) - 16.54).abs() < 0.005);
    }
}
