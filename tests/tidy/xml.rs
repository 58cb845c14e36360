//! FreeSWITCH's files: well formed, and no `socket` without `async full`.

use crate::tree::Tree;

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let folders = ["dialplan/", "freeswitch-conf/"];
    let endings = [".xml", ".xml.example"];
    let files: Vec<(&str, &str)> = folders
        .iter()
        .flat_map(|folder| endings.iter().flat_map(|ending| tree.matching(folder, ending)))
        .collect();
    if files.is_empty() {
        return vec!["there are no files for FreeSWITCH".into()];
    }
    files.into_iter().flat_map(|(path, text)| file(path, text)).collect()
}

fn file(path: &str, text: &str) -> Vec<String> {
    let document = match roxmltree::Document::parse(text) {
        Ok(document) => document,
        Err(error) => return vec![format!("{path}: {error}")],
    };
    let mut problems = Vec::new();
    for node in document.descendants() {
        if node.attribute("application") == Some("socket")
            && !node.attribute("data").is_some_and(|data| data.ends_with(" async full"))
        {
            let line = document.text_pos_at(node.range().start).row;
            problems.push(format!("{path}:{line}: `socket` without `async full`"));
        }
    }
    problems.extend(crowded(path, text));
    problems
}

/// FreeSWITCH reads preprocessor lines by line, not by element: what else stands on a line with
/// `<include>` is dropped, and a line in a comment works all the same (switch_xml.c, preprocess).
fn crowded(path: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut comment = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        comment = (comment || line.starts_with("<!--")) && !line.contains("-->");
        let with_include =
            line.contains("<include>") && line != "<include>" && !line.contains("<!--");
        if (with_include && !comment) || (comment && line.contains("<X-PRE-PROCESS")) {
            problems.push(format!("{path}:{}: FreeSWITCH reads this line otherwise", number + 1));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_that_is_not_well_formed_is_found() {
        let tree = Tree::of(&[("dialplan/x.xml", "<include><extension></include>")]);
        assert_eq!(problems(&tree).len(), 1);
    }

    #[test]
    fn a_socket_without_async_full_is_found() {
        let action =
            |data| format!("<action application=\"socket\" data=\"127.0.0.1:8084 {data}\"/>");
        let tree = |data| Tree::of(&[("freeswitch-conf/x.xml", action(data).as_str())]);
        assert_eq!(problems(&tree("async full")), [""; 0]);
        assert_eq!(problems(&tree("async")).len(), 1);
        assert_eq!(problems(&tree("full")).len(), 1);
    }

    #[test]
    fn a_line_that_freeswitch_reads_otherwise_is_found() {
        let crowd = "<include><gateway name=\"x\"/></include>";
        let asleep = "<include>\n<!--\n<X-PRE-PROCESS cmd=\"set\" data=\"a=b\"/>\n-->\n</include>";
        for text in [crowd, asleep] {
            assert_eq!(problems(&Tree::of(&[("dialplan/x.xml", text)])).len(), 1, "{text}");
        }
    }

    #[test]
    fn missing_files_are_found() {
        assert_eq!(problems(&Tree::default()).len(), 1);
    }
}
