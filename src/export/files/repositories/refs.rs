//! The branches of a repository, from its `.refs` or the header of its bundle.

use std::hash::BuildHasher;
use std::io::BufRead;

use foldhash::fast::FixedState;

use super::object_id::{ObjectFormat, ObjectId};
use super::ref_lines::{RefsFault, each_ref};

const BRANCHES: &[u8] = b"refs/heads/";

/// Bytes of all names of branches at the most.
const NAMES: usize = 512 << 20;

/// The branches of a repository, and what HEAD led to. Other refs are read, and not kept.
#[derive(Debug, Default)]
pub struct Refs {
    /// The names of all branches, without `refs/heads/`, one behind the other.
    names: Vec<u8>,
    /// Where each branch's name ends, and its id; by name, when all are there.
    branches: Vec<Branch>,
    head: Option<ObjectId>,
    guessed: Option<usize>,
    /// Refs of every kind, without HEAD.
    count: u64,
    /// Of the names and ids of all of them, in whatever order.
    digest: u64,
}

#[derive(Debug, Clone, Copy)]
struct Branch {
    begin: usize,
    end: usize,
    id: ObjectId,
}

impl Refs {
    /// Reads lines `<oid> <name>`, of ids of one format. Memory grows with the names of branches alone.
    ///
    /// # Errors
    /// A text that says which line is wrong.
    pub fn read(reader: impl BufRead) -> Result<Refs, String> {
        Self::read_lines(reader).map_err(|fault| fault.to_string())
    }

    pub(super) fn read_lines(reader: impl BufRead) -> Result<Refs, RefsFault> {
        let mut refs = Refs::default();
        each_ref(reader, &mut |id, name| refs.add(id, name))?;
        refs.finish();
        Ok(refs)
    }

    /// Takes one more ref, in the order of the text.
    pub(super) fn add(&mut self, id: ObjectId, name: &[u8]) -> Result<(), RefsFault> {
        if name == b"HEAD" {
            self.head = Some(id);
            return Ok(());
        }
        self.count += 1;
        let hashed = FixedState::default().hash_one((id, name));
        self.digest = self.digest.wrapping_add(hashed);
        let Some(name) = name.strip_prefix(BRANCHES) else {
            return Ok(());
        };
        if self.names.len() + name.len() > NAMES {
            return Err(RefsFault::Whole("it has too many branches"));
        }
        let begin = self.names.len();
        self.names.extend_from_slice(name);
        let end = self.names.len();
        self.branches.push(Branch { begin, end, id });
        Ok(())
    }

    /// After the last ref.
    pub(super) fn finish(&mut self) {
        // The guess goes by the order of the text, which is lost below.
        let guessed = self.guess().map(|branch| (branch.begin, branch.end));
        let names = &self.names;
        self.branches
            .sort_by(|a, b| names[a.begin..a.end].cmp(&names[b.begin..b.end]));
        let mut branches = self.branches.iter();
        self.guessed = guessed
            .and_then(|guessed| branches.position(|branch| (branch.begin, branch.end) == guessed));
    }

    /// The branch that `git clone` of a bundle with these refs takes for HEAD's: among those with HEAD's id `master`, else
    /// the last one.
    fn guess(&self) -> Option<&Branch> {
        let head = self.head;
        let is_master = |branch: &&Branch| self.name(branch) == b"master";
        let mut all = self.branches.iter();
        match head {
            // Nothing says what HEAD was; git's clone takes its own default, if there is such a branch.
            None => all.find(is_master),
            Some(head) => {
                let mut same = all.filter(|branch| branch.id == head);
                same.clone().find(is_master).or_else(|| same.next_back())
            }
        }
    }

    fn name(&self, branch: &Branch) -> &[u8] {
        &self.names[branch.begin..branch.end]
    }

    /// The id of a branch, by its name without `refs/heads/`.
    pub fn branch(&self, name: &[u8]) -> Option<ObjectId> {
        let found = self
            .branches
            .binary_search_by(|branch| self.name(branch).cmp(name));
        found.ok().map(|at| self.branches[at].id)
    }

    /// Branches, by name.
    pub fn branches(&self) -> impl Iterator<Item = (&[u8], ObjectId)> {
        let branches = self.branches.iter();
        branches.map(|branch| (self.name(branch), branch.id))
    }

    /// True if the two have the same refs, HEAD apart.
    pub(super) fn are_those_of(&self, other: &Refs) -> bool {
        (self.count, self.digest) == (other.count, other.digest)
    }

    /// What HEAD led to when the backup was made; `None` where it led nowhere.
    pub fn head(&self) -> Option<ObjectId> {
        self.head
    }

    /// The branch that git takes for HEAD's where only these lines are known; without `refs/heads/`.
    pub fn guessed_branch(&self) -> Option<&[u8]> {
        self.guessed.map(|at| self.name(&self.branches[at]))
    }

    /// Refs of every kind, without HEAD.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The format of the ids; `None` where there are none.
    pub fn object_format(&self) -> Option<ObjectFormat> {
        let first = self.branches.first().map(|branch| branch.id);
        self.head.or(first).map(|id| id.format())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: char) -> String {
        digit.to_string().repeat(40)
    }

    fn read(lines: &[(char, &str)]) -> Refs {
        let lines = lines.iter();
        let text: String = lines
            .map(|(digit, name)| format!("{} {name}\n", id(*digit)))
            .collect();
        Refs::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn branches_are_found_by_name_and_others_are_counted() {
        let refs = read(&[
            ('a', "HEAD"),
            ('b', "refs/heads/z"),
            ('a', "refs/heads/main"),
            ('c', "refs/heads/a/b"),
            ('d', "refs/tags/main"),
            ('e', "refs/merge-requests/1/head"),
        ]);
        let branch = |name: &str| refs.branch(name.as_bytes()).map(|id| id.to_string());
        assert_eq!(branch("main"), Some(id('a')));
        assert_eq!(branch("a/b"), Some(id('c')));
        assert_eq!(branch("z"), Some(id('b')));
        assert_eq!(branch("a"), None);
        assert_eq!(branch("refs/heads/main"), None);
        assert_eq!(refs.count(), 5);
        assert_eq!(refs.head().unwrap().to_string(), id('a'));
        assert_eq!(refs.object_format(), Some(ObjectFormat::Sha1));
        let names: Vec<&[u8]> = refs.branches().map(|(name, _)| name).collect();
        assert_eq!(names, [&b"a/b"[..], b"main", b"z"]);
    }

    #[test]
    fn the_branch_of_head_is_guessed_as_git_does() {
        type Case<'a> = (&'a [(char, &'a str)], Option<&'a str>);
        let cases: [Case<'_>; 6] = [
            (
                &[('a', "HEAD"), ('b', "refs/heads/a"), ('a', "refs/heads/b")],
                Some("b"),
            ),
            (
                &[
                    ('a', "HEAD"),
                    ('a', "refs/heads/main"),
                    ('a', "refs/heads/x"),
                ],
                Some("x"),
            ),
            (
                &[
                    ('a', "refs/heads/master"),
                    ('a', "refs/heads/x"),
                    ('a', "HEAD"),
                ],
                Some("master"),
            ),
            (&[('a', "HEAD"), ('b', "refs/heads/master")], None),
            (
                &[('b', "refs/heads/master"), ('b', "refs/heads/x")],
                Some("master"),
            ),
            (&[('b', "refs/heads/main")], None),
        ];
        for (lines, expected) in cases {
            let refs = read(lines);
            assert_eq!(
                refs.guessed_branch(),
                expected.map(str::as_bytes),
                "{lines:?}"
            );
        }
    }
}
