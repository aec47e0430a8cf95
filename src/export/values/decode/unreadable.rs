//! Why a text is not what its rule says.

/// Why a text cannot be decoded. It never holds any of it: what is counted and told must not show a cell of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    #[error("the text is not valid YAML")]
    NotYaml,
    #[error(
        "the text has a line break of YAML 1.1 that YAML 1.2 does not know (U+0085, U+2028 or U+2029)"
    )]
    OldLineBreak,
    #[error("the text holds a tag that is not accepted")]
    ForeignTag,
    #[error("the text is no mapping with a tag that is accepted at its root")]
    NotTagged,
    #[error("the text, or what a tag in it stands for, is not a mapping")]
    NotAMapping,
    #[error("a scalar is not what its tag says")]
    BadScalar,
    #[error("a key is a list or a mapping")]
    BadKey,
    #[error(
        "the printed hash is cut off, or holds something else than texts, numbers, lists and hashes"
    )]
    NotAPrintedHash,
    #[error("the values are nested too deeply")]
    TooDeep,
    #[error("the text is too long, or stands for too many values")]
    TooLarge,
}
