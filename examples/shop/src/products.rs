//! What is for sale.

use crate::language::Language;

pub(crate) struct Product {
    pub(crate) item: &'static str,
    pub(crate) picture: &'static str,
    english: &'static str,
    german: &'static str,
    pub(crate) cents: u32,
}

impl Product {
    pub(crate) fn name(&self, language: Language) -> &'static str {
        language.say(self.english, self.german)
    }

    pub(crate) fn of(item: &str) -> Option<&'static Self> {
        PRODUCTS.iter().find(|product| product.item == item)
    }
}

/// Whether something may be put into a cart; it need not be for sale any more.
pub(crate) fn is_item(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(is_allowed)
}

const fn product(
    item: &'static str,
    picture: &'static str,
    english: &'static str,
    german: &'static str,
    cents: u32,
) -> Product {
    Product {
        item,
        picture,
        english,
        german,
        cents,
    }
}

pub(crate) static PRODUCTS: [Product; 12] = [
    product("coat", "🧥", "Woollen coat", "Wollmantel", 18_900),
    product("umbrella", "☂️", "Umbrella", "Regenschirm", 3_450),
    product("top-hat", "🎩", "Top hat", "Zylinder", 7_900),
    product("straw-hat", "👒", "Straw hat", "Strohhut", 2_995),
    product("cap", "🧢", "Cap", "Schirmmütze", 1_990),
    product("scarf", "🧣", "Red scarf", "Roter Schal", 2_450),
    product("gloves", "🧤", "Gloves", "Handschuhe", 2_200),
    product("socks", "🧦", "Warm socks", "Warme Socken", 895),
    product("boots", "🥾", "Boots", "Stiefel", 11_900),
    product("glasses", "🕶️", "Sunglasses", "Sonnenbrille", 5_500),
    product("handbag", "👜", "Handbag", "Handtasche", 9_450),
    product("backpack", "🎒", "Backpack", "Rucksack", 6_950),
];
