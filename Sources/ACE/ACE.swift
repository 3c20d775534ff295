// ACE
