//! What the compiler doesn't check about this repository: floors, sizes, words, and the places that
//! belong together. Each rule takes texts and returns what is wrong, so that each is tried on a
//! planted fault as well as on the repository itself.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod floors;
mod kinds;
mod names;
mod places;
mod sizes;
mod source;
mod tree;
mod words;
mod xml;

use tree::Tree;

#[track_caller]
fn holds(problems: &[String]) {
    assert!(problems.is_empty(), "\n  {}\n", problems.join("\n  "));
}

#[test]
fn every_module_stands_on_one_floor_and_uses_only_lower_ones() {
    holds(&floors::problems(&Tree::of_repository()));
}

#[test]
fn modules_without_io_deny_what_would_wait_or_read_a_clock() {
    holds(&floors::impure(&Tree::of_repository()));
}

#[test]
fn no_function_is_longer_than_70_lines() {
    holds(&sizes::long_functions(&Tree::of_repository(), sizes::LONG));
}

#[test]
fn no_line_is_wider_than_100_columns() {
    holds(&sizes::wide_lines(&Tree::of_repository(), sizes::WIDE));
}

#[test]
fn every_kind_of_step_has_its_files_its_test_and_its_row() {
    holds(&kinds::problems(&Tree::of_repository()));
}

#[test]
fn both_databases_have_the_same_migrations() {
    holds(&places::migrations(&Tree::of_repository()));
}

#[test]
fn architecture_names_every_module() {
    holds(&places::architecture(&Tree::of_repository()));
}

#[test]
fn xml_is_well_formed_and_every_socket_is_async_and_full() {
    holds(&xml::problems(&Tree::of_repository()));
}

#[test]
fn nothing_is_left_to_do_and_no_machine_is_named() {
    holds(&words::problems(&Tree::of_repository()));
}

#[test]
fn test_names_are_claims_and_no_two_are_alike() {
    holds(&names::claims(&Tree::of_repository()));
}

#[test]
fn types_are_named_for_what_they_are() {
    holds(&names::types(&Tree::of_repository()));
}
