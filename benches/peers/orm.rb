#!/usr/bin/env ruby
# frozen_string_literal: true

# Exports a group as GitLab's own exporter does: ActiveRecord, 100 records at a time, each made a hash of hashes and then
# JSON. What nests below a record is preloaded for the 100, except below epics, whose rows are asked for one by
# one, as GitLab does.
#
#   ruby orm.rb GROUP [EPICS] >group.ndjson     EPICS: stop after so many epics, with 0 none
#
# Needs ruby-activerecord and ruby-pg; the server is the one of PGHOST, PGUSER and PGDATABASE.

require 'active_record'
require 'json'

BATCH = 100
GROUP = Integer(ARGV.fetch(0))
EPICS = ARGV[1] && Integer(ARGV[1])

ActiveRecord::Base.establish_connection(
  adapter: 'postgresql', host: ENV.fetch('PGHOST'), username: ENV.fetch('PGUSER'), database: ENV.fetch('PGDATABASE')
)
ActiveRecord.default_timezone = :utc if ActiveRecord.respond_to?(:default_timezone=)

class Row < ActiveRecord::Base
  self.abstract_class = true
  self.inheritance_column = nil
end

class User < Row; end
class Label < Row; end
class BoardAssignee < Row; end
class PushEventPayload < Row
  self.primary_key = 'event_id'
end
class SystemNoteMetadata < Row
  self.table_name = 'system_note_metadata'
end
class AwardEmoji < Row
  self.table_name = 'award_emoji'
end
class ResourceStateEvent < Row; end
class Sprint < Row; end

class Event < Row
  has_one :push_event_payload, foreign_key: :event_id
end

class Milestone < Row
  has_many :events, -> { where(target_type: 'Milestone').order(:id) }, foreign_key: :target_id
end

class LabelLink < Row
  belongs_to :label
end

class Note < Row
  belongs_to :author, class_name: 'User'
  has_many :award_emoji, -> { where(awardable_type: 'Note').order(:id) }, foreign_key: :awardable_id, class_name: 'AwardEmoji'
  has_many :events, -> { where(target_type: 'Note').order(:id) }, foreign_key: :target_id
  has_one :system_note_metadata, class_name: 'SystemNoteMetadata'
end

# Rows that belong to the epic or to the issue behind it.
class Epic < Row
  belongs_to :parent, class_name: 'Epic', optional: true

  def award_emoji
    of(AwardEmoji, :awardable)
  end

  def events
    of(Event, :target, %w[Issue WorkItem])
  end

  def label_links
    of(LabelLink, :target)
  end

  def notes
    of(Note, :noteable)
  end

  def resource_state_events
    ResourceStateEvent.where(epic_id: id).or(ResourceStateEvent.where(issue_id: issue_id)).order(:id)
  end

  private

  def of(model, name, issue = 'Issue')
    own = model.where("#{name}_type" => 'Epic', "#{name}_id" => id)
    own.or(model.where("#{name}_type" => issue, "#{name}_id" => issue_id)).order(:id)
  end
end

class List < Row
  belongs_to :label, optional: true
  belongs_to :board, optional: true
  belongs_to :iteration, class_name: 'Sprint', optional: true
  belongs_to :milestone, optional: true
end

class BoardLabel < Row
  belongs_to :label
end

class Board < Row
  has_many :lists, -> { order(:list_type, :position, :id) }
  has_one :board_assignee
  belongs_to :milestone, optional: true
  has_many :board_labels
  has_many :labels, -> { order(:title) }, through: :board_labels
end

class Member < Row
  belongs_to :user, optional: true
end

class BoardsEpicList < Row
  belongs_to :label, optional: true
end

class BoardsEpicBoard < Row
  has_many :epic_lists, class_name: 'BoardsEpicList', foreign_key: :epic_board_id
end

class IterationsCadence < Row
  has_many :iterations, class_name: 'Sprint'
end

class Namespace < Row; end

EVENT = { include: { push_event_payload: {} } }.freeze
USER = { only: %i[id public_email username name] }.freeze
NOTE = {
  except: %i[note_html cached_markdown_version],
  include: { author: { only: [:name] }, award_emoji: {}, events: EVENT, system_note_metadata: {} }
}.freeze
EPIC = {
  except: %i[state_id assignee_id external_key],
  include: {
    parent: {}, award_emoji: {}, events: EVENT, label_links: { include: { label: {} } }, notes: NOTE, resource_state_events: {}
  }
}.freeze
BOARD = {
  include: {
    lists: { include: { label: {}, board: {}, iteration: {}, milestone: { include: { events: EVENT } } } },
    board_assignee: {}, milestone: {}, labels: {}
  }
}.freeze

# The names of the tree's associations, for preloading.
def preloads(options)
  (options[:include] || {}).to_h { |name, below| [name, preloads(below)] }
end

def export(records, options, preload: true, limit: nil)
  written = 0
  records.in_batches(of: BATCH) do |batch|
    batch = batch.reorder(:id)
    batch = batch.preload(preloads(options)) if preload
    batch.each do |record|
      return if limit && written >= limit

      $stdout.puts(record.serializable_hash(options).to_json)
      written += 1
    end
  end
end

export(Milestone.where(group_id: GROUP), {})
export(Label.where(group_id: GROUP, type: 'GroupLabel'), {})
export(Board.where(group_id: GROUP), BOARD)
export(
  Member.where(source_id: GROUP, source_type: 'Namespace', type: 'GroupMember', requested_at: nil).where('access_level > 5'),
  { include: { user: USER } }
)
export(BoardsEpicBoard.where(group_id: GROUP), { include: { epic_lists: { include: { label: {} } } } })
export(IterationsCadence.where(group_id: GROUP), { include: { iterations: {} } })
export(Namespace.where(id: GROUP), {})
export(Epic.where(group_id: GROUP), EPIC, preload: false, limit: EPICS)
