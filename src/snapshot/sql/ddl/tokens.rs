//! A statement's tokens, taken one after another.

use crate::snapshot::sql::text::Token;

/// Tokens that are taken one after another.
pub(crate) struct Tokens {
    tokens: Vec<Token>,
    place: usize,
}

impl Tokens {
    pub(crate) fn new(tokens: Vec<Token>) -> Self {
        Tokens { tokens, place: 0 }
    }

    pub(crate) fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.place)
    }

    /// The tokens that have not been taken.
    pub(crate) fn rest(&self) -> &[Token] {
        self.tokens.get(self.place..).unwrap_or_default()
    }

    /// The next tokens, so many, to be looked at.
    pub(crate) fn ahead(&self, count: usize) -> Tokens {
        let start = self.place.min(self.tokens.len());
        let end = (start + count).min(self.tokens.len());
        Tokens::new(self.tokens[start..end].to_vec())
    }

    /// How many tokens were taken.
    pub(crate) fn taken(&self) -> usize {
        self.place
    }

    /// The tokens that were taken since so many were.
    pub(crate) fn taken_since(&self, before: usize) -> &[Token] {
        let end = self.place.min(self.tokens.len());
        self.tokens.get(before..end).unwrap_or_default()
    }

    pub(crate) fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.place).cloned();
        self.place += 1;
        token
    }

    pub(crate) fn skip(&mut self, count: usize) {
        self.place += count;
    }

    /// Takes the next token if it is this word.
    pub(crate) fn accept(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is(word));
        self.place += usize::from(found);
        found
    }

    pub(crate) fn accept_symbol(&mut self, symbol: u8) -> bool {
        let found = self.peek() == Some(&Token::Symbol(symbol));
        self.place += usize::from(found);
        found
    }

    /// True before a name with a schema.
    pub(crate) fn is_qualified(&self) -> bool {
        self.tokens.get(self.place + 1) == Some(&Token::Symbol(b'.'))
    }

    /// Takes a name, quoted or not.
    pub(crate) fn identifier(&mut self) -> Option<String> {
        let (Token::Word(name) | Token::Name(name)) = self.peek()? else {
            return None;
        };
        let name = name.clone();
        self.place += 1;
        Some(name)
    }

    /// True before a constraint. `exclude` and `period` are no reserved words and may be columns.
    pub(crate) fn at_constraint(&self) -> bool {
        const RESERVED: [&str; 6] = ["constraint", "primary", "unique", "check", "foreign", "not"];
        match (self.peek(), self.tokens.get(self.place + 1)) {
            (Some(Token::Word(word)), _) if RESERVED.contains(&word.as_str()) => true,
            (Some(Token::Word(word)), Some(next)) if word == "exclude" => {
                next.is("using") || *next == Token::Symbol(b'(')
            }
            _ => false,
        }
    }

    /// Goes to the comma or closing parenthesis that ends an element of a list.
    pub(crate) fn skip_to_element_end(&mut self) {
        let mut depth = 0u32;
        while let Some(token) = self.peek() {
            match token {
                Token::Symbol(b',' | b')') if depth == 0 => return,
                Token::Symbol(b'(' | b'[') => depth += 1,
                Token::Symbol(b')' | b']') => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.place += 1;
        }
    }

    /// Goes behind the parenthesis that closes a list, whose opening one is taken.
    pub(crate) fn skip_list(&mut self) {
        loop {
            self.skip_to_element_end();
            match self.next() {
                Some(Token::Symbol(b',')) => {}
                _ => return,
            }
        }
    }

    /// Goes to the element's end, and gives what stands before it.
    pub(crate) fn rest_of_element(&mut self) -> &[Token] {
        let start = self.place.min(self.tokens.len());
        self.skip_to_element_end();
        &self.tokens[start..self.place.max(start)]
    }
}

/// True if `GENERATED ALWAYS AS (` stands in an element, as against `… AS IDENTITY`.
pub(crate) fn is_generated(element: &[Token]) -> bool {
    element
        .windows(4)
        .any(|four| four[0].is("generated") && four[2].is("as") && four[3] == Token::Symbol(b'('))
}

/// True if an element fills its column in without a value: by `DEFAULT` of something else than NULL, or as an identity.
pub(crate) fn has_default(element: &[Token]) -> bool {
    element.iter().any(|token| token.is("identity"))
        || element
            .windows(2)
            .any(|two| two[0].is("default") && !two[1].is("null") && !two[1].is("as"))
}
