//! What changed definitions do to rows that stand before them.

use super::super::context::Context;
use super::{AGAIN, CHANGES, Changes, Judged, MADE, Refusal, has_word, of_table};
use crate::snapshot::sql::ddl::Tokens;
use crate::snapshot::sql::text::Token;
use crate::snapshot::table_name::TableName;

impl Changes {
    pub(super) fn create_table(
        &mut self,
        statement: &mut Tokens,
        context: Context<'_>,
    ) -> Result<Judged, Refusal> {
        statement.skip(1);
        let mut temporary = false;
        while ["global", "local", "unlogged", "foreign"]
            .iter()
            .any(|word| statement.accept(word))
            || {
                let found = statement.accept("temp") || statement.accept("temporary");
                temporary |= found;
                found
            }
        {}
        if !statement.accept("table") {
            return Ok(Judged::Harmless);
        }
        let unless_there = statement.accept("if");
        if unless_there {
            statement.skip(2);
        }
        let Some(name) = context.ddl.name(statement) else {
            return Ok(Judged::Harmless);
        };
        let verb = "CREATE TABLE";
        temporary |= name.schema == "pg_temp";
        let hides = TableName::public(&name.name);
        if temporary && (context.is_needed(&name) || context.is_needed(&hides)) {
            let reason =
                "a temporary table of that name hides the one that is needed; leave it out";
            return Err(of_table("CREATE TEMPORARY TABLE", &name, reason));
        }
        if self.begun.contains_key(&name) && !unless_there {
            self.refuse_change(verb, &name, AGAIN, context)?;
        }
        if makes_rows(statement) && context.is_needed(&name) {
            return Err(of_table("CREATE TABLE AS", &name, MADE));
        }
        Ok(Judged::Defines(vec![name]))
    }

    pub(super) fn alter_table(
        &mut self,
        statement: &mut Tokens,
        context: Context<'_>,
    ) -> Result<Judged, Refusal> {
        statement.skip(1);
        statement.accept("foreign");
        if !statement.accept("table") {
            return Ok(Judged::Harmless);
        }
        if statement.accept("if") {
            statement.skip(1);
        }
        statement.accept("only");
        let Some(name) = context.ddl.known_name(statement) else {
            return Ok(Judged::Harmless);
        };
        statement.accept_symbol(b'*');
        // Rows that went by as those of another table become those of one that is needed, or of none.
        let becomes = |verb: &str, other: &TableName| match self.begun.contains_key(&name)
            && (context.is_needed(other) || context.is_needed(&name))
        {
            true => Err(of_table(verb, &name, CHANGES)),
            false => Ok(()),
        };
        if statement.accept("rename") && statement.accept("to") {
            if let Some(new) = statement.identifier() {
                let new = TableName::new(name.schema.clone(), new);
                becomes("ALTER TABLE … RENAME", &new)?;
            }
        } else if statement.accept("set") && statement.accept("schema") {
            if let Some(schema) = statement.identifier() {
                let new = TableName::new(schema, name.name.clone());
                becomes("ALTER TABLE … SET SCHEMA", &new)?;
            }
        } else {
            self.parents(statement, &name, context)?;
        }
        Ok(Judged::Defines(vec![name]))
    }

    /// Looks for tables that become parts of others, or are none any more, after their rows went by.
    pub(super) fn parents(
        &self,
        statement: &mut Tokens,
        name: &TableName,
        context: Context<'_>,
    ) -> Result<(), Refusal> {
        // A table's own rows, or those of a table below it.
        let begun = |table: &TableName| self.begun.values().flatten().any(|it| it == table);
        let needs = |table: &TableName| context.is_needed(table);
        loop {
            let no = statement.accept("no");
            if statement.accept("inherit") {
                if let Some(parent) = context.ddl.known_name(statement)
                    && begun(name)
                    && needs(&parent)
                {
                    let verb = if no {
                        "ALTER TABLE … NO INHERIT"
                    } else {
                        "ALTER TABLE … INHERIT"
                    };
                    return Err(of_table(verb, name, CHANGES));
                }
            } else if (statement.accept("attach") || statement.accept("detach"))
                && statement.accept("partition")
                && let Some(leaf) = context.ddl.known_name(statement)
                && begun(&leaf)
                && needs(name)
            {
                return Err(of_table("ALTER TABLE … PARTITION", &leaf, CHANGES));
            }
            statement.skip_to_element_end();
            if !statement.accept_symbol(b',') {
                return Ok(());
            }
        }
    }

    pub(super) fn rename_schema(
        &self,
        statement: &mut Tokens,
        context: Context<'_>,
    ) -> Result<(), Refusal> {
        statement.skip(2);
        let old = statement.identifier();
        if !(statement.accept("rename") && statement.accept("to")) {
            return Ok(());
        }
        let (Some(old), Some(new)) = (old, statement.identifier()) else {
            return Ok(());
        };
        let changes = self.begun.keys().any(|table| {
            let renamed = TableName::new(new.clone(), table.name.clone());
            table.schema == old && ((context.wanted)(&renamed) || context.is_needed(table))
        });
        match changes {
            true => Err(Refusal {
                what: "ALTER SCHEMA … RENAME".to_owned(),
                reason: CHANGES,
            }),
            false => Ok(()),
        }
    }

    pub(super) fn drop(
        &mut self,
        statement: &mut Tokens,
        context: Context<'_>,
    ) -> Result<Judged, Refusal> {
        statement.skip(1);
        statement.accept("foreign");
        let kind = match statement.next() {
            Some(Token::Word(kind)) => kind,
            _ => return Ok(Judged::Harmless),
        };
        if statement.accept("if") {
            statement.skip(1);
        }
        match kind.as_str() {
            "table" => {
                let mut dropped = Vec::new();
                while let Some(name) = context.ddl.known_name(statement) {
                    self.refuse_change("DROP TABLE", &name, AGAIN, context)?;
                    dropped.push(name);
                    if !statement.accept_symbol(b',') {
                        break;
                    }
                }
                return Ok(Judged::Defines(dropped));
            }
            "schema" => {
                while let Some(schema) = statement.identifier() {
                    self.refuse_all("DROP SCHEMA", Some(&schema), context)?;
                    if !statement.accept_symbol(b',') {
                        break;
                    }
                }
            }
            "owned" => self.refuse_all("DROP OWNED", None, context)?,
            // They may take columns with them.
            "type" | "domain" | "extension" if has_word(statement, "cascade") => {
                self.refuse_all("DROP … CASCADE", None, context)?;
            }
            "database" => {
                let name = statement.identifier();
                if name.is_some() && name.as_deref() == context.database {
                    self.refuse_all("DROP DATABASE", None, context)?;
                }
            }
            _ => {}
        }
        Ok(Judged::Harmless)
    }

    pub(super) fn truncate(
        &self,
        statement: &mut Tokens,
        context: Context<'_>,
    ) -> Result<(), Refusal> {
        statement.skip(1);
        statement.accept("table");
        loop {
            statement.accept("only");
            let Some(name) = context.ddl.known_name(statement) else {
                return Ok(());
            };
            self.refuse_change("TRUNCATE", &name, AGAIN, context)?;
            statement.accept_symbol(b'*');
            if !statement.accept_symbol(b',') {
                break;
            }
        }
        match has_word(statement, "cascade") {
            true => self.refuse_all("TRUNCATE … CASCADE", None, context),
            false => Ok(()),
        }
    }
}

/// True for `CREATE TABLE … AS`, unless it is `WITH NO DATA`. The table's name is taken.
fn makes_rows(statement: &Tokens) -> bool {
    let mut depth = 0u32;
    let mut is_query = false;
    for token in statement.rest() {
        match token {
            Token::Symbol(b'(') => depth += 1,
            Token::Symbol(b')') => depth = depth.saturating_sub(1),
            Token::Word(word) if depth == 0 && word == "as" => is_query = true,
            _ => {}
        }
    }
    let no_data = statement
        .rest()
        .windows(3)
        .any(|three| three[0].is("with") && three[1].is("no") && three[2].is("data"));
    is_query && !no_data
}
