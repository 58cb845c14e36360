//! What a Rust file names and defines.

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A function and how many lines it takes, signature and braces included.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) lines: usize,
    pub(crate) is_test: bool,
}

/// What one file holds.
#[derive(Default)]
pub(crate) struct Source {
    /// Top-level modules of the crate that the file names.
    pub(crate) modules: Vec<String>,
    pub(crate) functions: Vec<Function>,
    pub(crate) types: Vec<String>,
    /// Where in the crate the visitor stands: `flow::kind` is `["flow", "kind"]`.
    place: Vec<String>,
}

/// Reads a file that lies at `path`, such as `src/flow/kind/menu.rs`.
pub(crate) fn read(path: &str, text: &str) -> Result<Source, String> {
    let file = syn::parse_file(text).map_err(|error| format!("{path}: {error}"))?;
    let mut source = Source { place: place(path), ..Source::default() };
    source.visit_file(&file);
    Ok(source)
}

fn place(path: &str) -> Vec<String> {
    let inner = path.strip_prefix("src/").unwrap_or(path).trim_end_matches(".rs");
    let mut parts: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

impl Source {
    /// Notes which module a path leads to, if it begins at the crate's root or climbs up to it.
    fn note(&mut self, parts: &[String]) {
        let mut place = self.place.clone();
        let mut rest = parts;
        match rest.first().map(String::as_str) {
            Some("crate" | "callwright") => {
                place.clear();
                rest = &rest[1..];
            }
            Some("self" | "super") => {
                while let Some(word @ ("self" | "super")) = rest.first().map(String::as_str) {
                    if word == "super" {
                        place.pop();
                    }
                    rest = &rest[1..];
                }
            }
            _ => return,
        }
        if let Some(module) = place.first().or_else(|| rest.first()) {
            self.modules.push(module.clone());
        }
    }

    fn note_use(&mut self, before: &[String], tree: &syn::UseTree) {
        let mut path = before.to_vec();
        match tree {
            syn::UseTree::Path(item) => {
                path.push(item.ident.to_string());
                self.note_use(&path, &item.tree);
            }
            syn::UseTree::Group(group) => {
                for item in &group.items {
                    self.note_use(&path, item);
                }
            }
            syn::UseTree::Name(item) => {
                path.push(item.ident.to_string());
                self.note(&path);
            }
            syn::UseTree::Rename(item) => {
                path.push(item.ident.to_string());
                self.note(&path);
            }
            syn::UseTree::Glob(_) => self.note(&path),
        }
    }

    /// A macro's tokens aren't parsed: `crate::name` in them is found by sight.
    fn note_tokens(&mut self, tokens: TokenStream) {
        let mut words: Vec<String> = Vec::new();
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.note_tokens(group.stream()),
                TokenTree::Ident(ident) => words.push(ident.to_string()),
                TokenTree::Punct(punct) => words.push(punct.as_char().to_string()),
                TokenTree::Literal(_) => words.push(String::new()),
            }
        }
        for four in words.windows(4) {
            if four[0] == "crate" && four[1] == ":" && four[2] == ":" {
                self.modules.push(four[3].clone());
            }
        }
    }

    fn note_function(
        &mut self,
        attributes: &[syn::Attribute],
        name: &syn::Ident,
        item: &impl Spanned,
    ) {
        let is_test = attributes
            .iter()
            .any(|a| a.path().segments.last().is_some_and(|last| last.ident == "test"));
        let start = name.span().start().line;
        let lines = item.span().end().line + 1 - start;
        self.functions.push(Function { name: name.to_string(), lines, is_test });
    }
}

impl<'a> Visit<'a> for Source {
    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        self.note_use(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        self.note(&parts);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'a syn::Macro) {
        self.note_tokens(item.tokens.clone());
        visit::visit_macro(self, item);
    }

    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        self.place.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.place.pop();
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.note_function(&item.attrs, &item.sig.ident, item);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        self.note_function(&item.attrs, &item.sig.ident, item);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'a syn::TraitItemFn) {
        self.note_function(&item.attrs, &item.sig.ident, item);
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_struct(&mut self, item: &'a syn::ItemStruct) {
        self.types.push(item.ident.to_string());
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'a syn::ItemEnum) {
        self.types.push(item.ident.to_string());
        visit::visit_item_enum(self, item);
    }

    fn visit_item_trait(&mut self, item: &'a syn::ItemTrait) {
        self.types.push(item.ident.to_string());
        visit::visit_item_trait(self, item);
    }
}
