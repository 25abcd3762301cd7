unit_test(assign_queue chat)
unit_test(assign_rule chat)
unit_test(assign_sim chat)
unit_test(chat_change chat store)
