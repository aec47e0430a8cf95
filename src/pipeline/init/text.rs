//! YAML text: lines, comments that wrap, links.

use super::graph::Link;
use super::words::scalar;
use crate::visible::visible;

/// Columns of a line.
const WIDTH: usize = 80;

/// The text so far.
#[derive(Default)]
pub(super) struct Text(String);

impl Text {
    pub(super) fn into_string(self) -> String {
        self.0
    }

    pub(super) fn blank(&mut self) {
        self.0.push('\n');
    }

    pub(super) fn line(&mut self, indent: usize, line: &str) {
        self.0.extend(std::iter::repeat_n(' ', indent));
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// A comment, as many lines as it takes.
    pub(super) fn comment(&mut self, indent: usize, text: &str) {
        self.comment_with(indent, "", text);
    }

    /// A comment whose lines but the first stand farther in.
    pub(super) fn item(&mut self, indent: usize, text: &str) {
        self.comment_with(indent, "  ", text);
    }

    fn comment_with(&mut self, indent: usize, hanging: &str, text: &str) {
        let mut line = String::new();
        let mut before = "";
        for word in text.split_whitespace().map(visible) {
            let width = indent + 3 + before.len() + line.chars().count() + word.chars().count();
            if !line.is_empty() && width > WIDTH {
                self.line(indent, &format!("# {before}{line}"));
                line.clear();
                before = hanging;
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
        self.line(indent, &format!("# {before}{line}"));
    }

    /// `link: …`: one, or a list of which any will do.
    pub(super) fn links(&mut self, indent: usize, links: &[String]) {
        if let [link] = links {
            return self.line(indent, &format!("link: {link}"));
        }
        let short = format!("link: [{}]", links.join(", "));
        if indent + short.len() <= WIDTH {
            return self.line(indent, &short);
        }
        self.line(indent, "link:");
        for link in links {
            self.line(indent + 2, &format!("- {link}"));
        }
    }

    /// A line, or what stands for it if it is too long.
    pub(super) fn line_or(&mut self, indent: usize, line: &str, lines: &[String]) {
        if indent + line.chars().count() <= WIDTH {
            return self.line(indent, line);
        }
        for line in lines {
            self.line(indent, line);
        }
    }
}

/// `{ a: b, c: d }`: columns of the row with those of the row above.
pub(super) fn flow<'p>(pairs: impl IntoIterator<Item = (&'p str, &'p str)>) -> String {
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(own, above)| format!("{}: {}", scalar(own), scalar(above)))
        .collect();
    format!("{{ {} }}", pairs.join(", "))
}

/// Links by their own columns.
pub(super) fn flows(links: &[Link<'_>]) -> Vec<String> {
    let mut flows = Vec::new();
    for link in links {
        flows.push(flow(link.pairs.iter().copied()));
    }
    flows
}

/// Links to the entity's key.
pub(super) fn key_flows(links: &[Link<'_>]) -> Vec<String> {
    let own = links.iter().flat_map(|link| link.pairs.first());
    own.map(|(column, _)| flow([(*column, "key")])).collect()
}

/// `[a, b]`, or the single one.
pub(super) fn list(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| scalar(name)).collect();
    match &names[..] {
        // `key: none` says that there is none.
        [name] if name != "none" => name.clone(),
        _ => format!("[{}]", names.join(", ")),
    }
}
