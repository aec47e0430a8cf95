//! Names that stand in place of people's. Their number and order are part of what a key gives: another list gives other
//! names.

/// Given names.
pub(super) const GIVEN: [&str; 64] = [
    "Ada", "Alan", "Alba", "Alma", "Amir", "Anna", "Anton", "Arne", "Asha", "Bela", "Beth",
    "Bruno", "Carla", "Carlos", "Chen", "Clara", "Cora", "Dana", "Daria", "David", "Dina", "Edda",
    "Elif", "Elena", "Emil", "Erik", "Esther", "Eva", "Felix", "Fiona", "Freya", "Gita", "Greta",
    "Hana", "Hugo", "Ida", "Ines", "Ingrid", "Iris", "Ivan", "Jana", "Jonas", "Josef", "Julia",
    "Kai", "Karim", "Katja", "Kofi", "Lars", "Laura", "Lena", "Leon", "Lina", "Luca", "Maja",
    "Marco", "Maria", "Marta", "Mila", "Mina", "Nadia", "Nils", "Noor", "Nora",
];

/// Family names.
pub(super) const FAMILY: [&str; 64] = [
    "Abel", "Adler", "Aoki", "Bauer", "Becker", "Berg", "Blake", "Bondar", "Brandt", "Castro",
    "Chang", "Cohen", "Costa", "Dahl", "Diaz", "Duarte", "Eder", "Farah", "Ferrari", "Fischer",
    "Fuchs", "Garcia", "Grant", "Haas", "Hansen", "Hoffman", "Holm", "Ito", "Jansen", "Kamara",
    "Kaya", "Keller", "Khan", "Klein", "Kovac", "Kumar", "Lang", "Larsen", "Lind", "Lopez",
    "Mayer", "Mensah", "Meyer", "Moreau", "Nagy", "Nakamura", "Novak", "Okafor", "Olsen", "Park",
    "Patel", "Pereira", "Petrov", "Quinn", "Reyes", "Rossi", "Sato", "Schmidt", "Silva",
    "Sorensen", "Tanaka", "Vogel", "Weber", "Zhang",
];
