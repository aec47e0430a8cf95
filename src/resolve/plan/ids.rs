//! Ids: positions in a plan's lists, each of a type of its own, so that a hop's is never taken for a table's.

use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// A position in an [`IdVec`].
pub trait Id: Copy {
    /// The id of what stands at this position.
    fn at(position: usize) -> Self;
    fn position(self) -> usize;
}

/// A table of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(usize);

/// A kind of entity of a run: one of its pipelines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KindId(usize);

/// A hop of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HopId(usize);

/// A slot of a plan: where the keys of a hop come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(usize);

impl Id for TableId {
    fn at(position: usize) -> Self {
        TableId(position)
    }

    fn position(self) -> usize {
        self.0
    }
}

impl Id for KindId {
    fn at(position: usize) -> Self {
        KindId(position)
    }

    fn position(self) -> usize {
        self.0
    }
}

impl Id for HopId {
    fn at(position: usize) -> Self {
        HopId(position)
    }

    fn position(self) -> usize {
        self.0
    }
}

impl Id for SlotId {
    fn at(position: usize) -> Self {
        SlotId(position)
    }

    fn position(self) -> usize {
        self.0
    }
}

/// A list whose items are named by ids: the plan's own, or one with something for each of them.
#[derive(Debug, Clone)]
pub struct IdVec<I, T> {
    items: Vec<T>,
    id: PhantomData<fn() -> I>,
}

impl<I: Id, T> IdVec<I, T> {
    pub fn new() -> Self {
        IdVec {
            items: Vec::new(),
            id: PhantomData,
        }
    }

    /// Adds an item and says its id.
    pub fn push(&mut self, item: T) -> I {
        let id = self.next_id();
        self.items.push(item);
        id
    }

    /// The id that the next item will have.
    pub fn next_id(&self) -> I {
        I::at(self.items.len())
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }

    /// The items alone, in the order of their ids.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.items
    }

    /// The ids of all items, in order.
    pub fn ids(&self) -> impl Iterator<Item = I> + use<I, T> {
        (0..self.items.len()).map(I::at)
    }

    /// The ids from this one on.
    pub fn ids_from(&self, first: I) -> impl Iterator<Item = I> + use<I, T> {
        (first.position()..self.items.len()).map(I::at)
    }

    /// The items with their ids, in order.
    pub fn enumerate(&self) -> impl Iterator<Item = (I, &T)> {
        self.items
            .iter()
            .enumerate()
            .map(|(position, item)| (I::at(position), item))
    }

    /// The id of the first item that is meant.
    pub fn find(&self, is_meant: impl FnMut(&T) -> bool) -> Option<I> {
        self.items.iter().position(is_meant).map(I::at)
    }

    /// Removes the items from this one on.
    pub fn truncate(&mut self, first: I) {
        self.items.truncate(first.position());
    }

    /// A list with something for each item of this one.
    pub fn map<U>(&self, of: impl FnMut(&T) -> U) -> IdVec<I, U> {
        self.items.iter().map(of).collect()
    }
}

impl<I: Id, T> Default for IdVec<I, T> {
    fn default() -> Self {
        IdVec::new()
    }
}

impl<I: Id, T> Index<I> for IdVec<I, T> {
    type Output = T;

    fn index(&self, id: I) -> &T {
        &self.items[id.position()]
    }
}

impl<I: Id, T> IndexMut<I> for IdVec<I, T> {
    fn index_mut(&mut self, id: I) -> &mut T {
        &mut self.items[id.position()]
    }
}

impl<I: Id, T> FromIterator<T> for IdVec<I, T> {
    fn from_iter<Items: IntoIterator<Item = T>>(items: Items) -> Self {
        IdVec {
            items: items.into_iter().collect(),
            id: PhantomData,
        }
    }
}

impl<'a, I, T> IntoIterator for &'a IdVec<I, T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_to_its_item_and_to_none_that_came_later() {
        let mut hops: IdVec<HopId, char> = ['a', 'b'].into_iter().collect();
        let first = hops.next_id();
        let third = hops.push('c');
        assert_eq!((third, hops[third]), (first, 'c'));
        assert_eq!(hops.find(|hop| *hop == 'b'), Some(HopId::at(1)));
        assert_eq!(hops.ids_from(first).collect::<Vec<_>>(), [third]);
        hops.truncate(first);
        assert_eq!(hops.ids().collect::<Vec<_>>(), [HopId::at(0), HopId::at(1)]);
        let doubled = hops.map(|hop| hop.to_string().repeat(2));
        assert_eq!(doubled[HopId::at(1)], "bb");
    }
}
