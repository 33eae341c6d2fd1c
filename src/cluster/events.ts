/**
 * Which categories the events of a source can have, as DescribeEventCategories tells them.
 *
 * Source: "Amazon RDS event categories and event messages" of the Aurora user guide.
 */
import type {EventCategory, EventSource} from './records.ts';

export const EVENT_CATEGORIES: Readonly<Record<EventSource, readonly EventCategory[]>> = {
  'db-instance': [
    'availability',
    'backup',
    'configuration change',
    'creation',
    'deletion',
    'failover',
    'failure',
    'low storage',
    'maintenance',
    'notification',
    'read replica',
    'recovery',
    'restoration',
  ],
  'db-parameter-group': ['configuration change'],
  'db-cluster': [
    'backup',
    'configuration change',
    'creation',
    'deletion',
    'failover',
    'failure',
    'maintenance',
    'notification',
    'restoration',
  ],
  service: ['configuration change', 'failure', 'low storage', 'notification', 'recovery'],
};

export const EVENT_SOURCES: readonly EventSource[] = [
  'db-instance',
  'db-parameter-group',
  'db-cluster',
  'service',
];
